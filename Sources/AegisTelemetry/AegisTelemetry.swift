// AegisTelemetry

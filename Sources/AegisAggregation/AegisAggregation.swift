// AegisAggregation

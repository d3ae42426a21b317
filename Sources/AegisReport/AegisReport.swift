// AegisReport

// AegisAdmin

// AegisIdentity

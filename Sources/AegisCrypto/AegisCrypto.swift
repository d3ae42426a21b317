// AegisCrypto

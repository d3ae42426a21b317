// AegisPrivacy

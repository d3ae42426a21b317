// AegisLearning

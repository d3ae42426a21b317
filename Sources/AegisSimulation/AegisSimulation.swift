// AegisSimulation

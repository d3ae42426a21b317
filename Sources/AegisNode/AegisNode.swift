// AegisNode

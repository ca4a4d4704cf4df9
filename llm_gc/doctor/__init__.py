"""doctor: what is between a pipeline and the servers it is to run on, each thing with its remedy."""

"""What several kinds of tests share: twins of the ports, builders, local servers."""

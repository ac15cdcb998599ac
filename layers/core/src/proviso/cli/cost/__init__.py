"""`proviso cost`: what a use of this costs at AWS, by line, from dated prices, counted requests and measured times."""

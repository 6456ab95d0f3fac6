"""Ways to reach a board: ordered byte streams that deliver or fail (`presparse.links.link`)."""

"""Ways to reach a board: ordered byte streams that deliver or fail (`presparse.device.links.link`)."""

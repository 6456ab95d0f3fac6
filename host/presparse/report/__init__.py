"""Pictures of a network and of what it learned, and a page that holds them (needs the `report` extra).

One file per picture; each is a function that returns a matplotlib `Figure`.
"""

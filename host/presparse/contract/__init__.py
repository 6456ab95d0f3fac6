"""What gateware, reference and host agree on. Imports the standard library, numpy and pydantic only."""

"""What programs of Presparse print and which options they share."""

"""Parts that know nothing of networks: delays, memories, queues, multipliers, adders."""

"""The seams to the world: Protocols, and the values that cross them. Each has an AWS adapter and a twin in memory."""

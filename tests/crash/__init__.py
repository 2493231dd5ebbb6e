"""Kill -9 at every durable step of the product, and at random: what is left, who repairs it, what must hold after."""

"""A sample application behind the gateway, and what it may rely on. Synthetic (演练样本)."""

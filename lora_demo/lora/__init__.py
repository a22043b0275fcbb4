"""LoRA on a frozen classifier. Start with `adapter`, then `training`, then `guarded`."""

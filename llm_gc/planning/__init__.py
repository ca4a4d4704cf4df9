"""plan: what a conversation will do, as far as that can be told before anybody has answered."""

"""Each legal and clinical rule with a test that fails as soon as the rule is broken."""

"""Pictures: sets, photographs, the budget, what a change costs."""

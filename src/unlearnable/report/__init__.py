"""Tables, plots and pages of what was done."""

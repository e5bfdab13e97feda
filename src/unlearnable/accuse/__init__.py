"""Show that a model was trained on one's protected pictures, and how often such a test is wrong."""

"""Plans of many trainings, run on one machine or a cluster, and their results."""

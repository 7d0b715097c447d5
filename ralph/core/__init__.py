"""The spine: values, the gate, the runner and the loop. Standard library only."""

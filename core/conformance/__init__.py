"""Whether a charger kept to the order of steps that its protocol prescribes. Pure: what was seen in, deviations out."""

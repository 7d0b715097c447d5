"""Who answers: adapters to model services, one file a wire format."""

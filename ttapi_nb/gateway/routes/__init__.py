"""What a gateway answers, a module for each part."""

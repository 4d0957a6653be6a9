"""What results say beside each other: statistics, sentences, charts."""

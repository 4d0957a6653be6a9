"""Scripts as they are exported, but for their facts. This project itself runs what draws pictures, and no more."""

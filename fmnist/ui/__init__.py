"""Everything that imports Streamlit, for the dashboard and its pages."""

"""The pages that one can be led to, by their names in the sidebar, and where they stand: a new one is added here."""

PAGES = {
    "Train": "pages/1_Train.py",
    "Compare": "pages/2_Compare.py",
    "Confusion": "pages/3_Confusion.py",
    "Predict": "pages/4_Predict.py",
    "Data": "pages/5_Data.py",
}

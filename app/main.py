"""The app's router: `stgcn-lens app RUN`, or `streamlit run app/main.py -- --run RUN`."""

import logging
import sys
from pathlib import Path

import streamlit as st

if str(Path(__file__).resolve().parents[1]) not in sys.path:  # started as a script, perhaps from another folder
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app import opening, state
from stgcn_lens.errors import LensError

PAGES = (
    ("views/clip.py", "Clip", ":material/accessibility_new:"),
    ("views/layers.py", "Layers", ":material/stacked_line_chart:"),
    ("views/neighbours.py", "Neighbours", ":material/hub:"),
    ("views/confusions.py", "Confusions", ":material/grid_on:"),
    ("views/what_if.py", "What if", ":material/tune:"),
    ("views/noise.py", "Noise", ":material/grain:"),
    ("views/transfer.py", "Transfer", ":material/move_down:"),
    ("views/compare.py", "Compare", ":material/compare:"),
    ("views/data.py", "Data", ":material/upload_file:"),
    ("views/runs.py", "Runs", ":material/folder_open:"),
)

st.set_page_config(page_title="stgcn_lens", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
# Streamlit leaves 6rem above the page and as much beside it; the legs of the skeleton need them. Closer links: all ten
# pages stand in the bar of a window of 1,280 px, none behind "2 more".
st.markdown(
    "<style>.stMainBlockContainer{padding:3.6rem 1.8rem 2rem}"
    "[data-testid=stSidebarHeader]{height:2.4rem;margin-bottom:0}"
    "[data-testid=stTopNavLink]{padding:0 .25rem;gap:.3rem}</style>",
    unsafe_allow_html=True,
)
page = st.navigation([st.Page(file, title=title, icon=icon) for file, title, icon in PAGES], position="top")
try:
    st.session_state["selection"] = state.choose(sys.argv[1:])
    page.run()
except LensError as error:
    st.error(str(error), title="This cannot be shown", icon=":material/error:")
except Exception as error:
    logging.getLogger("stgcn_lens.app").exception("page %s failed", page.title)
    st.error(
        f"{type(error).__name__}: {error}. The traceback is in the log of the app.",
        title="The app failed here; your files are untouched",
        icon=":material/error:",
    )
opening.drawn.set()

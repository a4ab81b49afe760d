"""The classes: to add an action, add its row to the tuple of its kind. A class's number is its place in `ACTIONS`."""

from stgcn_lens.data.synthetic.gestures import GESTURES
from stgcn_lens.data.synthetic.pairs import PAIRS
from stgcn_lens.data.synthetic.script import Action
from stgcn_lens.data.synthetic.whole_body import WHOLE_BODY

ACTIONS: tuple[Action, ...] = (*GESTURES, *WHOLE_BODY, *PAIRS)

"""What readers see: tables, charts and the page, the PDF and the slides made of them.

Lives here: displays, words and pictures of what assessment found, and the exporter that puts them on one page.
Lives elsewhere: every number; a page computes nothing that another page or the JSON could contradict.
"""

import sys

if "IPython" in sys.modules and (_shell := sys.modules["IPython"].get_ipython()):
    from riskcalc.pages.frames import teach

    teach(_shell)  # a frame that a notebook displays is data for its page, too

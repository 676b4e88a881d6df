"""Tests of the pages; a package, so that they may be called as the tests of other rooms are."""

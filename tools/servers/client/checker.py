# SPDX-License-Identifier: MIT
"""What a server has answered, and what it should have."""


class Checker:
    requests = 0
    mismatches = 0

    def check(self, got, want, what):
        self.requests += 1
        if got != want:
            self.mismatches += 1
            print("%r: %.200r, not %.200r" % (what, got, want))

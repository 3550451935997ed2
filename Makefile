# The README's two commands, and the rest of the checks.
.PHONY: demo test check
demo:
	@bash -c "$$(bash .ci/readme-command 1)"
test:
	@bash -c "$$(bash .ci/readme-command 2)"
check:
	@bash .ci/run

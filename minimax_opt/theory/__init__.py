"""The bounds of the theory as functions, the constants that they need, worst-case instances, and the models of pre-training.

``docs/theory/`` has the definitions, theorems and proofs; each function here names the theorem that it evaluates.
"""

"""Nested tuples, lists and dictionaries in which None is a leaf."""

import jax


def is_none(leaf):
    """Whether a leaf is None, which JAX takes for an empty tree."""
    return leaf is None


def tree_map(function, tree, /, *trees):
    """`function` of each leaf, or of the leaves of several like trees, in the form of the first."""
    return jax.tree_util.tree_map(function, tree, *trees, is_leaf=is_none)


def tree_flatten(tree):
    """The list of leaves and the structure that `tree_unflatten` takes."""
    return jax.tree_util.tree_flatten(tree, is_leaf=is_none)


def tree_leaves(tree):
    """The list of leaves."""
    return jax.tree_util.tree_leaves(tree, is_leaf=is_none)


def tree_unflatten(leaves, structure):
    """The tree of this structure with these leaves."""
    return jax.tree_util.tree_unflatten(structure, leaves)


def is_array(x):
    """Whether a value is a JAX array, as a function that can be handed on."""
    return isinstance(x, jax.Array)

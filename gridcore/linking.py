"""Compiled functions that only compiled code calls stay intermediate code; what Python calls is linked and optimised once.

numba optimises, emits and keeps each function alone, and again inside each caller up the call tree: the loop of a strategy calls
some 150 functions, six levels deep, and most of the compile time went there. A caller that sees all of its callees before any
of them is optimised is also the faster one. This reaches below numba's public interface (0.61 to 0.68): where a piece that it
needs is missing, `INNER` and `ENTRY` are None and everything compiles the way numba does it by itself, slower.
"""

# ruff: noqa: SLF001 - what numba keeps to itself is what this file is about

from __future__ import annotations

from typing import Any

from numba.core import codegen, compiler, typed_passes
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.environment import lookup_environment

_ENVIRONMENT = "_ZN08NumbaEnv"  # how the names of numba's environment variables begin

# What is used of numba's code library, none of it promised.
_NEEDED = (
    "_check_llvm_bugs",
    "_ensure_finalized",
    "_finalize_dynamic_globals",
    "_finalize_final_module",
    "_finalize_specific",
    "_get_module_for_linking",
    "_optimize_final_module",
    "_raise_if_finalized",
    "add_linking_library",
    "add_llvm_module",
    "enable_object_caching",
    "finalize",
    "get_pointer_to_function",
)
_BASE: Any = getattr(codegen, "JITCodeLibrary", object)


class _WithoutEnvironments:
    """The code generator as an inner library shows it: environments are set where the code is emitted, in the entry."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def set_env(self, name: str, environment: object) -> None:
        """Leave it: there is no address yet."""


class _UnoptimisedLibrary(_BASE):  # type: ignore[misc]
    """A code library that keeps its own code and those it calls as they come, to be linked later."""

    def add_linking_library(self, library: Any) -> None:
        """Note a callee, without having it finished."""
        library._ensure_finalized()
        self._linking_libraries.append(library)

    def add_llvm_module(self, module: Any) -> None:
        """Take in freshly lowered code."""
        module.data_layout = self._codegen._data_layout
        self._final_module.link_in(module)

    def _callees(self) -> list[Any]:
        """Every library that is called from here, directly or not, once and in the order met."""
        found: dict[Any, None] = {}
        waiting = list(reversed(self._linking_libraries))
        while waiting:
            library = waiting.pop()
            if library not in found and library is not self:
                found[library] = None
                if isinstance(library, InnerLibrary):
                    waiting.extend(reversed(library._linking_libraries))
        return list(found)

    def _link_callees(self, module: Any) -> None:
        for library in self._callees():
            self._reload_init.update(library._reload_init)
            own = library.own_module() if isinstance(library, InnerLibrary) else library._get_module_for_linking()
            module.link_in(own, preserve=True)


class InnerLibrary(_UnoptimisedLibrary):
    """The code of a function that only compiled code calls: never optimised, emitted or kept by itself."""

    _closed_module: Any = None

    def finalize(self) -> None:
        """Nothing more can be added; no code is made."""
        self._raise_if_finalized()
        self._finalize_dynamic_globals()
        self._finalized = True

    def own_module(self) -> Any:
        """The code of this function alone, ready to be linked any number of times."""
        return super()._get_module_for_linking()

    def _get_module_for_linking(self) -> Any:
        """The code with all it calls: what a caller of numba's own kind, which links only its direct callees, takes."""
        if self._closed_module is None:
            closed = self.own_module().clone()
            self._link_callees(closed)
            self._closed_module = closed
        return self._closed_module

    def get_pointer_to_function(self, _name: str) -> int:
        """There is no machine code to point to."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """The code generator, which must not be asked for addresses of this library."""
        return _WithoutEnvironments(self._codegen)


class EntryLibrary(_UnoptimisedLibrary):
    """The code of a function that Python calls, with all it calls: optimised and emitted as one."""

    def finalize(self) -> None:
        """Link, optimise, emit."""
        self._codegen._check_llvm_bugs()
        self._raise_if_finalized()
        module = self._final_module
        own = {function.name for function in module.functions if not function.is_declaration}
        self._link_callees(module)
        for function in module.functions:
            # Nobody else calls these copies, so that the optimiser may drop what it has inlined everywhere.
            if not function.is_declaration and function.name not in own:
                function.linkage = "internal"
        self._optimize_final_module()
        module.verify()
        self._finalize_final_module()

    def _optimize_final_module(self) -> None:
        # Without the cheap passes that numba runs before: they bring reference counts together, of which there are hardly any
        # here, and the loops come out slower.
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)

    def _finalize_specific(self) -> None:
        super()._finalize_specific()
        for variable in self._final_module.global_variables:
            if variable.name.startswith(_ENVIRONMENT) and (environment := lookup_environment(variable.name)) is not None:
                self._codegen.set_env(variable.name, environment)


def _pipeline(library_class: type) -> Any:
    """Make numba's compiler, with code libraries of another class."""

    @register_pass(mutates_CFG=False, analysis_only=True)
    class ChooseLibrary(LoweringPass):  # type: ignore[misc]
        _name = f"choose_{library_class.__name__}"

        def run_pass(self, state: Any) -> bool:
            state.library = library_class(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
            return True

    class Pipeline(compiler.CompilerBase):  # type: ignore[misc]
        def define_pipelines(self) -> list[Any]:
            manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
            place = [kind for kind, _ in manager.passes].index(typed_passes.NativeLowering)
            manager.passes.insert(place, (ChooseLibrary, "choose the code library"))
            manager.finalize()
            return [manager]

    return Pipeline


def _all_there() -> bool:
    generator: Any = getattr(codegen, "CPUCodegen", None)
    return all(hasattr(_BASE, name) for name in _NEEDED) and hasattr(generator, "_module_pass_manager")


INNER: Any = _pipeline(InnerLibrary) if _all_there() else None
ENTRY: Any = _pipeline(EntryLibrary) if _all_there() else None

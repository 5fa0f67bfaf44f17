"""Compiled functions that only compiled code calls stay intermediate code; what Python calls is linked and optimised once.

numba optimises, emits and keeps each function alone, and again inside each caller up the call tree: the loop of a strategy calls
some 150 functions, six levels deep, and most of the compile time went there. A caller that sees all of its callees before any
of them is optimised is also the faster one. This reaches below numba's public interface (0.61 to 0.68): where a piece that it
needs is missing, `INNER` and `ENTRY` are None and everything compiles the way numba does it by itself, slower.
"""

# ruff: noqa: SLF001 - what numba keeps to itself is what this file is about

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba.core import caching, codegen, compiler
from numba.core.environment import lookup_environment
from numba.core.runtime import rtsys

_ENVIRONMENT = "_ZN08NumbaEnv"  # how the names of numba's environment variables begin
_ADDRESS = "numba.dynamic.globals"  # and those of addresses of Python objects

# What is used of numba's code library, none of it promised.
_NEEDED = (
    "_ensure_finalized",
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
_NEEDED_OF_GENERATOR = ("_check_llvm_bugs", "_module_pass_manager", "_pass_builder")
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
        """Take in freshly lowered code as it is: tidied before it is inlined, it makes a slower loop."""
        module.data_layout = self._codegen._data_layout
        self._final_module.link_in(module)

    def _callees(self) -> list[Any]:
        """Every library that is called from here, directly or not, once and in the order met."""
        found: dict[Any, None] = {}
        waiting = list(reversed(self._linking_libraries))
        while waiting:
            library = waiting.pop()
            if library not in found and library not in (self, rtsys.library):
                found[library] = None
                if isinstance(library, InnerLibrary):
                    waiting.extend(reversed(library._linking_libraries))
        return list(found)

    def _link_callees(self, module: Any) -> None:
        # numba's runtime is left to whoever emits: every library has it among its callees.
        for library in self._callees():
            self._reload_init.update(library._reload_init)
            own = library.own_module() if isinstance(library, InnerLibrary) else library._get_module_for_linking()
            module.link_in(own, preserve=True)


class InnerLibrary(_UnoptimisedLibrary):
    """The code of a function that only compiled code calls: never optimised, emitted or kept by itself."""

    _closed_module: Any = None
    _kept_module: Any = None
    _uses_addresses: bool | None = None

    def finalize(self) -> None:
        """Nothing more can be added; no code is made."""
        self._raise_if_finalized()
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

    def _module_to_keep(self) -> Any:
        """The code with all it calls, no further compiled, so that a loop made from the cache is the loop made at once."""
        if self._kept_module is None:
            self._kept_module = self._final_module.clone()
            self._link_callees(self._kept_module)
        return self._kept_module

    @property
    def has_dynamic_globals(self) -> bool:
        """Whether the code, or any that it calls, uses addresses of this process and cannot be kept."""
        if self._uses_addresses is None:
            tidied = self._final_module.clone()  # the addresses of functions that are called by name are there and unused
            passes = llvm.create_new_module_pass_manager()
            passes.add_sroa_pass()
            passes.add_aggressive_dce_pass()
            passes.add_global_dead_code_eliminate_pass()
            passes.run(tidied, self._codegen._pass_builder())
            left = any(variable.name.startswith(_ADDRESS) for variable in tidied.global_variables)
            self._uses_addresses = left or any(library.has_dynamic_globals for library in self._callees())
        return self._uses_addresses

    def serialize_using_object_code(self) -> Any:
        """What the cache keeps of it."""
        self._ensure_finalized()
        return self.name, self._module_to_keep().as_bitcode()

    @classmethod
    def restored(cls, generator: Any, kept: Any) -> InnerLibrary:
        """The library that `serialize_using_object_code` gave away."""
        name, bitcode = kept
        library = cls(generator, name)
        library._final_module = library._kept_module = llvm.parse_bitcode(bitcode)
        library._uses_addresses = False
        library._finalized = True
        return library

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
        module.link_in(rtsys.library._get_module_for_linking(), preserve=True)
        missing = [function.name for function in module.functions if function.is_declaration and function.name.startswith("_ZN")]
        if missing:
            raise RuntimeError(f"{self.name} calls compiled functions that were not linked: {', '.join(missing)}")
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
        for environment in _environments_of(self._final_module):
            self._codegen.set_env(environment.env_name, environment)


def _environments_of(module: Any) -> list[Any]:
    """The environments of all functions in `module` that numba knows."""
    named = [variable.name for variable in module.global_variables if variable.name.startswith(_ENVIRONMENT)]
    return [found for name in named if (found := lookup_environment(name)) is not None]


class _InnerCacheImplementation(caching.CompileResultCacheImpl):  # type: ignore[misc]
    """How inner functions are kept: a user's own strategy, compiled in each process, starts from them."""

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        """A name of its own, for a kernel is kept as an entry too."""
        return f"inner-{super().get_filename_base(fullname, abiflags)}"

    def reduce(self, result: Any) -> Any:
        """What is written for a compiled function."""
        *parts, _ = result._reduce()
        known = [environment for environment in _environments_of(result.library._module_to_keep()) if environment.can_cache()]
        return (*parts, tuple(known))

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """Read a compiled function back, without making machine code of it."""
        kept, description, environment, signature, object_mode, lifted, annotation, reload_init, environments = payload
        for reload in reload_init:
            reload()
        library = InnerLibrary.restored(target_context.codegen(), kept)
        return compiler.compile_result(
            target_context=target_context,
            typing_context=target_context.typing_context,
            library=library,
            environment=environment,
            entry_point=target_context.get_executable(library, description, environment),
            fndesc=description,
            type_annotation=annotation,
            signature=signature,
            objectmode=object_mode,
            lifted=lifted,
            reload_init=reload_init,
            referenced_envs=environments,
        )


class InnerCache(caching.FunctionCache):  # type: ignore[misc]
    """The disk cache of an inner function."""

    _impl_class = _InnerCacheImplementation


def _pipeline(library_class: type) -> Any:
    """Make numba's compiler, with code libraries of another class."""

    class Pipeline(compiler.Compiler):  # type: ignore[misc]
        def compile_extra(self, function: Any) -> Any:
            library = library_class(self.state.targetctx.codegen(), function.__qualname__)
            library.enable_object_caching()
            self.state.library = library
            return super().compile_extra(function)

    return Pipeline


def _all_there() -> bool:
    generator: Any = getattr(codegen, "CPUCodegen", None)
    return all(hasattr(_BASE, name) for name in _NEEDED) and all(hasattr(generator, name) for name in _NEEDED_OF_GENERATOR)


INNER: Any = _pipeline(InnerLibrary) if _all_there() else None
ENTRY: Any = _pipeline(EntryLibrary) if _all_there() else None

"""What a session says of tools that are not loaded yet is what they are."""

from ralph.app import shipped
from ralph.core.tools import Toolbox
from ralph.memory.memory import Memory
from ralph.tools.late import late_specs
from ralph.tools.loader import load_folder
from ralph.tools.memory import tools_for
from ralph.tools.python import Interpreter, python_tool


def test_descriptions_are_current(tmp_path):
    memory = Memory(tmp_path)
    files, _ = load_folder(shipped("tools_default"), "default")
    specs = [[tool.spec for tool in tools] for tools in (files, tools_for(memory))]
    assert late_specs() == (python_tool(Interpreter()).spec, *specs)
    memory.close()


def test_tools_are_loaded_by_the_first_that_is_called_for(tmp_path):
    memory, loads = Memory(tmp_path), []

    def load():
        loads.append(1)
        return tools_for(memory)

    box = Toolbox()
    box.add_late(late_specs()[2], load)
    before = box.specs
    assert loads == []
    assert box.find("remember") is box.find("remember")
    assert box.find("vector_db_search").spec.category == "memory"
    assert loads == [1]
    assert box.specs == before
    memory.close()


def test_a_tool_of_the_person_is_not_replaced(tmp_path):
    memory = Memory(tmp_path)
    own = tools_for(memory)[0]
    box = Toolbox([own])
    box.add_late(late_specs()[2], lambda: tools_for(memory))
    box.find("recall_memories")
    assert box.find("remember") is own
    memory.close()

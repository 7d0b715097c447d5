"""What was said in a job is found by the next look-up, whatever opened memory in between."""

from ralph.memory.memory import Memory


def test_what_a_job_said_is_found_by_the_next_search(program):
    script = program.script({"text": "The parrot is called Biscuit."})
    assert program.run(*script, "what is the parrot called?").returncode == 0
    assert not (program.home / ".local/ralph/ralph.db").exists()
    assert "Biscuit" in program.run("memory", "search", "parrot").stdout
    assert program.run(*program.script({"text": "It eats seeds."}), "what does the parrot eat?").returncode == 0
    assert "seeds" in program.run("memory", "search", "seeds").stdout


def test_forgetting_names_the_turns_that_still_say_it(program):
    memory = Memory(program.home / ".local/ralph")
    number = memory.remember("the parrot is called Biscuit").document.id
    memory.close()
    program.run(*program.script({"text": "The parrot is called Biscuit."}), "say it")
    shown = program.run("memory", "forget", str(number)).stdout
    assert "conversations still hold these words" in shown
    turn = shown.split()[-1]
    assert "conversations still" not in program.run("memory", "forget", turn).stdout
    assert "nothing relevant" in program.run("memory", "search", "Biscuit").stdout

"""An AgentOS to try the chat service with: an agent with tools, a memory and follow-up questions, one that asks before
it acts, a team and a workflow.

The model is any OpenAI-compatible server, named by MODEL_BASE_URL, MODEL_API_KEY and MODEL_ID.
"""

import os
from datetime import datetime, timezone

import uvicorn
from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.openai.like import OpenAILike
from agno.os import AgentOS
from agno.team import Team
from agno.tools import tool
from agno.workflow import Step, Workflow


def model() -> OpenAILike:
    return OpenAILike(
        id=os.environ.get("MODEL_ID", "qwen3:4b"),
        base_url=os.environ.get("MODEL_BASE_URL", "http://127.0.0.1:11434/v1"),
        api_key=os.environ.get("MODEL_API_KEY", "none"),
    )


def current_time() -> str:
    """The time now, in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def add(numbers: list[float]) -> float:
    """The sum of numbers."""
    return sum(numbers)


tickets: dict[str, str] = {"1001": "Printer on floor 3 jams", "1002": "Badge of a visitor expired"}


def list_tickets() -> dict[str, str]:
    """The open tickets by number."""
    return tickets


# A person has to agree before this runs: the chat service shows the question and takes the answer.
@tool(requires_confirmation=True)
def close_ticket(number: str) -> str:
    """Closes a ticket for good.

    Args:
        number (str): Number of the ticket.
    """
    return f"Closed: {tickets.pop(number)}" if number in tickets else f"There is no ticket {number}"


assistant = Agent(
    id="assistant",
    name="Assistant",
    description="Answers questions, knows the time, can add, and remembers whom it talks to",
    model=model(),
    tools=[current_time, add],
    # AgentOS remembers the conversation, under the session id of the chat service.
    add_history_to_context=True,
    num_history_runs=50,
    # What it learns about a user, for all conversations: the model is asked after each reply what to note.
    update_memory_on_run=True,
    add_memories_to_context=True,
    # Questions that the user may want to ask next; the model is asked for them too.
    followups=True,
    num_followups=3,
)

service_desk = Agent(
    id="service-desk",
    name="Service desk",
    description="Lists tickets, and closes them after you agreed",
    model=model(),
    tools=[list_tickets, close_ticket],
    add_history_to_context=True,
    num_history_runs=50,
)

researcher = Agent(id="researcher", name="Researcher", role="Collects the facts", model=model())
writer = Agent(id="writer", name="Writer", role="Writes the text", model=model())

newsroom = Team(
    id="newsroom",
    name="Newsroom",
    description="A researcher and a writer, and a leader who puts it together",
    model=model(),
    members=[researcher, writer],
)

article = Workflow(
    id="article",
    name="Article",
    description="Drafts an article, then shortens it",
    steps=[
        Step(name="draft", agent=Agent(name="Drafter", model=model(), instructions="Draft an article.")),
        Step(name="shorten", agent=Agent(name="Editor", model=model(), instructions="Cut it to half.")),
    ],
)

agent_os = AgentOS(
    id="example",
    name="Example",
    agents=[assistant, service_desk],
    teams=[newsroom],
    workflows=[article],
    # With a database runs survive a lost connection, and pauses a restart.
    db=SqliteDb(db_file=os.environ.get("DATABASE", "agent-os.db"), id="main"),
    telemetry=False,
)
app = agent_os.get_app()

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "7777")))

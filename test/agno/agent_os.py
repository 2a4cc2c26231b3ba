"""The AgentOS that the tests talk to: one agent, team or workflow for each thing that a client has to cope with.

Started by start-agent-os.ts. Environment: MODEL_BASE_URL (an OpenAI-compatible server), PORT, DATABASE (path of a
SQLite file, address of a PostgreSQL database, or "none"), DURABLE (how often a queue begins a run; needs PostgreSQL and
3.x), RETRY_DELAY (up to so many seconds it waits before it does; default 1), AT_ONCE (how many runs it begins at a time), WITHOUT (the id of an agent that is not
there).
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import uvicorn
from agno.agent import Agent
from agno.knowledge.knowledge import Knowledge
from agno.media import Image
from agno.models.openai.like import OpenAILike
from agno.os import AgentOS
from agno.run.agent import CustomEvent
from agno.team import Team
from agno.team.mode import TeamMode
from agno.tools import tool
from agno.tools.function import ToolResult
from agno.vectordb.base import VectorDb
from agno.workflow import Condition, HumanReview, Loop, Router, Step, StepInput, StepOutput, Workflow
from pydantic import BaseModel

database_path = os.environ["DATABASE"]
database = None
if database_path.startswith("postgresql://"):
    from agno.db.postgres import PostgresDb

    database = PostgresDb(db_url=database_path.replace("postgresql:", "postgresql+psycopg:", 1), id="main")
elif database_path != "none":
    from agno.db.sqlite import SqliteDb

    database = SqliteDb(db_file=database_path, id="main")


def model():
    return OpenAILike(id="test-model", api_key="test", base_url=os.environ["MODEL_BASE_URL"], retries=0)


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Sunny in {city}"


def break_down() -> str:
    """Always fails."""
    raise RuntimeError("the tool broke down")


async def wait_long(seconds: float) -> str:
    """Waits."""
    await asyncio.sleep(seconds)
    return "waited"


def draw(subject: str) -> ToolResult:
    """Draws a picture."""
    sizes = {"whale": 600_000, "blue whale": 9_000_000}
    if subject in sizes:
        # As image models make them: a PNG by its first bytes, and far more than fits into an event of ours.
        return ToolResult(
            content=f"Drew a {subject}",
            images=[Image(content=b"\x89PNG\r\n\x1a\n" + bytes(sizes[subject]), mime_type="image/png")],
        )
    return ToolResult(
        content=f"Drew {subject}",
        images=[Image(url=f"http://pictures.invalid/{subject}.png")],
    )


@tool(requires_confirmation=True)
def delete_file(path: str) -> str:
    """Deletes a file."""
    return f"Deleted {path}"


@tool(requires_user_input=True, user_input_fields=["to_address"])
def send_email(subject: str, to_address: str) -> str:
    """Sends an e-mail.

    Args:
        subject (str): What it is about.
        to_address (str): Who gets it.
    """
    return f"Sent {subject} to {to_address}"


@tool(external_execution=True)
def run_command(command: str) -> str:
    """Runs a command on the user's own machine."""
    raise RuntimeError("never runs here")


@dataclass
class Card(CustomEvent):
    """An event of the author's own."""

    name: Optional[str] = None
    title: Optional[str] = None
    rows: Optional[list] = None


async def report(subject: str):
    """Reports on something, and shows how.

    Args:
        subject (str): On what.
    """
    yield Card(title=f"On {subject}", rows=[1, {"two": 2}])
    yield Card(name="card", title="Done")
    yield "reported"


class City(BaseModel):
    name: str
    inhabitants: int


assistant = Agent(
    id="assistant",
    name="Assistant",
    description="Answers questions",
    model=model(),
    add_history_to_context=True,
    num_history_runs=5,
)
forgetful = Agent(id="forgetful", name="Forgetful", model=model())
weather = Agent(id="weather", name="Weather", model=model(), tools=[get_weather, break_down, wait_long])
artist = Agent(id="artist", name="Artist", model=model(), tools=[draw])
geographer = Agent(id="geographer", name="Geographer", model=model(), output_schema=City)
janitor = Agent(id="janitor", name="Janitor", role="deletes files", model=model(), tools=[delete_file])
secretary = Agent(id="secretary", name="Secretary", model=model(), tools=[send_email])
operator = Agent(id="operator", name="Operator", model=model(), tools=[run_command])


def look_up(query: str, num_documents=None, **kwargs):
    """Documents of a knowledge base, as a retriever of one's own gives them."""
    return [
        {"name": "cats.md", "content": "Cats sleep a lot.", "meta_data": {"url": "https://docs.invalid/cats"}},
        {"name": "dogs.md", "content": "Dogs do not."},
    ]


reporter = Agent(id="reporter", name="Reporter", model=model(), tools=[report])
mindful = Agent(id="mindful", name="Mindful", model=model(), update_memory_on_run=True)


class WordIndex(VectorDb):
    """Finds documents by their words: no model and no network."""

    def __init__(self):
        super().__init__(id="words", name="words")
        self.documents = []

    def create(self):
        pass

    async def async_create(self):
        pass

    def exists(self):
        return True

    async def async_exists(self):
        return True

    def name_exists(self, name):
        return any(each.name == name for each in self.documents)

    async def async_name_exists(self, name):
        return self.name_exists(name)

    def id_exists(self, id):
        return any(each.id == id for each in self.documents)

    def content_hash_exists(self, content_hash, user_id=None):
        return False

    def insert(self, content_hash, documents, filters=None, user_id=None):
        if any("unreadable" in each.content for each in documents):
            raise RuntimeError("secret-of-the-index broke")
        self.documents.extend(documents)

    async def async_insert(self, content_hash, documents, filters=None, user_id=None):
        self.insert(content_hash, documents)

    def upsert(self, content_hash, documents, filters=None, user_id=None):
        self.insert(content_hash, documents)

    async def async_upsert(self, content_hash, documents, filters=None, user_id=None):
        self.insert(content_hash, documents)

    def search(self, query, limit=5, filters=None, user_id=None):
        words = query.lower().split()
        return [each for each in self.documents if any(word in each.content.lower() for word in words)][:limit]

    async def async_search(self, query, limit=5, filters=None, user_id=None):
        return self.search(query, limit)

    def drop(self):
        self.documents = []

    async def async_drop(self):
        self.drop()

    def delete(self):
        self.drop()
        return True

    def delete_by_id(self, id):
        return self.keep(lambda each: each.id != id)

    def delete_by_name(self, name):
        return self.keep(lambda each: each.name != name)

    def delete_by_metadata(self, metadata):
        return False

    def update_metadata(self, content_id, metadata, user_id=None):
        pass

    def delete_by_content_id(self, content_id, user_id=None):
        return self.keep(lambda each: each.content_id != content_id)

    def keep(self, wanted):
        before = len(self.documents)
        self.documents = [each for each in self.documents if wanted(each)]
        return len(self.documents) < before

    def get_supported_search_types(self):
        return []


scholar = Agent(
    id="scholar",
    name="Scholar",
    model=model(),
    knowledge=Knowledge(
        name="handbook", description="What everybody should know", vector_db=WordIndex(), contents_db=database
    ),
    search_knowledge=True,
)
curious = Agent(id="curious", name="Curious", model=model(), followups=True)
librarian = Agent(id="librarian", name="Librarian", role="knows books", model=model(), knowledge_retriever=look_up)
scout = Agent(id="scout", name="Scout", role="finds facts", model=model(), tools=[get_weather])
writer = Agent(id="writer", name="Writer", role="writes texts", model=model())
crew = Team(id="crew", name="Crew", description="Finds and writes", model=model(), members=[scout, writer])
cleaners = Team(id="cleaners", name="Cleaners", model=model(), members=[janitor])
readers = Team(id="readers", name="Readers", model=model(), members=[librarian])
planners = Team(id="planners", name="Planners", model=model(), members=[scout, writer], mode=TeamMode.tasks)
router = Team(id="router", name="Router", model=model(), members=[scout, writer], mode=TeamMode.route)


def shout(step_input: StepInput) -> StepOutput:
    """A step that is no agent: its text exists only in the result."""
    return StepOutput(content=f"{step_input.previous_step_content}!")


drafter = Agent(id="drafter", name="Drafter", model=model(), instructions="You draft.")
polisher = Agent(id="polisher", name="Polisher", model=model(), instructions="You polish.")
article = Workflow(
    id="article",
    name="Article",
    description="Drafts, then polishes",
    steps=[Step(name="draft", agent=drafter), Step(name="polish", agent=polisher)],
)
shouting = Workflow(
    id="shouting", name="Shouting", steps=[Step(name="draft", agent=drafter), Step(name="shout", executor=shout)]
)
checked = Workflow(
    id="checked",
    name="Checked",
    steps=[
        Step(name="draft", agent=drafter),
        Step(
            name="publish",
            agent=polisher,
            human_review=HumanReview(requires_confirmation=True, confirmation_message="Publish it?"),
        ),
    ],
)
cleaning = Workflow(id="cleaning", name="Cleaning", steps=[Step(name="clean", agent=janitor)])

reading = Workflow(id="reading", name="Reading", steps=[Step(name="read", agent=librarian)])

queue = {}
if "DURABLE" in os.environ:
    from agno.job_queue import QueueConfig

    queue["queue"] = QueueConfig(
        durable=True,
        max_attempts=int(os.environ["DURABLE"]),
        lock_grace_seconds=9 if int(os.environ["DURABLE"]) > 1 else 600,
        retry_delay_seconds=int(os.environ.get("RETRY_DELAY", "1")),
        stop_timeout_seconds=5,
        max_concurrency=int(os.environ["AT_ONCE"]) if "AT_ONCE" in os.environ else None,
    )

async def count(step_input: StepInput):
    """Says how far it is, where AgentOS can."""
    try:
        from agno.workflow.types import StepProgress

        yield StepProgress(content="half of it", data={"percent": 50})
    except ImportError:
        pass
    yield StepOutput(content="counted")


def echo(step_input: StepInput) -> StepOutput:
    return StepOutput(content="echoed")


choosing = Workflow(
    id="choosing",
    name="Choosing",
    steps=[
        Step(name="count", executor=count),
        Router(
            name="which",
            selector=lambda step_input: [Step(name="left", executor=echo)],
            choices=[Step(name="left", executor=echo), Step(name="right", executor=echo)],
        ),
        Condition(name="sure", evaluator=lambda step_input: True, steps=[Step(name="yes", executor=echo)]),
        Condition(
            name="unsure",
            evaluator=lambda step_input: False,
            steps=[Step(name="yes", executor=echo)],
            else_steps=[Step(name="no", executor=echo)],
        ),
        Loop(name="again", steps=[Step(name="round", executor=echo)], max_iterations=2),
    ],
)



def stumble(step_input: StepInput) -> StepOutput:
    """Fails as often as it is told, restarts of AgentOS included."""
    times = int(str(step_input.input).split()[-1])
    tries = Path("tries.txt")
    tried = int(tries.read_text()) if tries.exists() else 0
    tries.write_text(str(tried + 1))
    if tried < times:
        raise RuntimeError("secret-of-the-step stumbled")
    return StepOutput(content=f"stumbled {tried} times")


stumbling = Workflow(
    id="stumbling",
    name="Stumbling",
    steps=[
        Step(name="draft", agent=drafter),
        Step(name="stumble", executor=stumble, max_retries=0, human_review=HumanReview(on_error="fail")),
    ],
)

agent_os = AgentOS(
    id="test-os",
    name="Test OS",
    agents=[
        agent
        for agent in [
            assistant,
            forgetful,
            weather,
            artist,
            geographer,
            janitor,
            secretary,
            operator,
            librarian,
            curious,
            reporter,
            mindful,
            scholar,
        ]
        if agent.id != os.environ.get("WITHOUT")
    ],
    teams=[crew, cleaners, readers, planners, router],
    workflows=[article, shouting, checked, cleaning, reading, choosing, stumbling],
    db=database,
    telemetry=False,
    **queue,
)
app = agent_os.get_app()

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")

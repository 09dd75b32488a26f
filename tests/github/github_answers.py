"""The stand-in's state as GitHub writes it in JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

from github_state import Comment, Person, PullRequest, Reaction, Repository, State, Status

PERSON_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
REPOSITORY_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "statuses_url": "/statuses/{sha}",
    "trees_url": "/git/trees{/sha}",
} | {
    f"{name}_url": f"/{name}"
    for name in (
        "contributors",
        "deployments",
        "downloads",
        "events",
        "forks",
        "languages",
        "merges",
        "stargazers",
        "subscribers",
        "subscription",
        "tags",
        "teams",
        "hooks",
    )
}
NO_COUNTS = dict.fromkeys(
    (
        *("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size"),
        *("open_issues", "open_issues_count", "subscribers_count", "network_count"),
    ),
    0,
)
FEATURES = {"has_issues": True, "has_projects": False, "has_wiki": False, "has_pages": False}
FEATURES |= {"has_downloads": False, "has_discussions": False, "archived": False, "disabled": False}
REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


class Urls(NamedTuple):
    """Where the two servers answer: the API and the pages with git."""

    api: str
    server: str


class Answers:
    """Writes each kind of object; every address in it is the stand-in's own."""

    def __init__(self, urls: Urls, state: State) -> None:
        self._urls, self._state = urls, state

    def person(self, person: Person) -> dict[str, Any]:
        url = f"{self._urls.api}/users/{person.login}"
        return {
            "login": person.login,
            "id": person.id,
            "node_id": f"U_{person.id}",
            "avatar_url": f"{self._urls.server}/avatars/{person.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self._urls.server}/{person.login}",
            "type": person.type,
            "user_view_type": "public",
            "site_admin": False,
        } | {name: url + rest for name, rest in PERSON_URLS.items()}

    def own_account(self, person: Person) -> dict[str, Any]:
        """Return what a person's token is told about its person."""
        names = ("name", "company", "blog", "location", "email", "hireable", "bio")
        counts = ("public_repos", "public_gists", "followers", "following", "private_gists")
        more = ("total_private_repos", "owned_private_repos", "disk_usage", "collaborators")
        return {
            **self.person(person),
            **dict.fromkeys(names),
            **dict.fromkeys((*counts, *more), 0),
            "user_view_type": "private",
            "two_factor_authentication": True,
            "created_at": "2020-01-01T00:00:00Z",
            "updated_at": "2020-01-01T00:00:00Z",
        }

    def repository(self, repository: Repository) -> dict[str, Any]:
        url = f"{self._urls.api}/repos/{repository.full_name}"
        page = f"{self._urls.server}/{repository.full_name}"
        return {
            "id": repository.id,
            "node_id": f"R_{repository.id}",
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": self.person(self._state.person(repository.owner)),
            "private": repository.private,
            "visibility": "private" if repository.private else "public",
            "fork": repository.parent is not None,
            "url": url,
            "html_url": page,
            "clone_url": f"{page}.git",
            "svn_url": page,
            "git_url": f"git://{page.partition('//')[2]}.git",
            "ssh_url": f"git@127.0.0.1:{repository.full_name}.git",
            **dict.fromkeys(("description", "homepage", "language", "license", "mirror_url")),
            "topics": [],
            "default_branch": repository.default_branch,
            **dict.fromkeys(("pushed_at", "created_at", "updated_at"), repository.created_at),
            **NO_COUNTS,
            **FEATURES,
        } | {name: url + rest for name, rest in REPOSITORY_URLS.items()}

    def status(self, status: Status) -> dict[str, Any]:
        return {**self.simple_status(status), "creator": self.person(status.creator)}

    def simple_status(self, status: Status) -> dict[str, Any]:
        url = f"{self._urls.api}/repos/{status.repository.full_name}"
        return {
            "url": f"{url}/statuses/{status.sha}",
            "avatar_url": f"{self._urls.server}/avatars/{status.creator.id}",
            "id": status.id,
            "node_id": f"SC_{status.id}",
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": status.created_at,
            "updated_at": status.created_at,
        }

    def comment(self, repository: Repository, comment: Comment) -> dict[str, Any]:
        url = f"{self._urls.api}/repos/{repository.full_name}/issues"
        kind = "pull" if self._state.pull(comment.number) else "issues"
        page = f"{self._urls.server}/{repository.full_name}/{kind}/{comment.number}"
        contents = [reaction.content for reaction in comment.reactions]
        rollup = {content: contents.count(content) for content in REACTIONS}
        own_url = f"{url}/comments/{comment.id}"
        return {
            "url": own_url,
            "html_url": f"{page}#issuecomment-{comment.id}",
            "issue_url": f"{url}/{comment.number}",
            "id": comment.id,
            "node_id": f"IC_{comment.id}",
            "user": self.person(comment.author),
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
            "body": comment.body,
            "author_association": self._association(repository, comment.author),
            "reactions": {"url": f"{own_url}/reactions", "total_count": len(contents), **rollup},
            "performed_via_github_app": self._app(comment.author) if comment.by_app else None,
        }

    def reaction(self, reaction: Reaction) -> dict[str, Any]:
        return {
            "id": reaction.id,
            "node_id": f"REA_{reaction.id}",
            "user": self.person(reaction.person),
            "content": reaction.content,
            "created_at": reaction.created_at,
        }

    def pull(self, pull: PullRequest) -> dict[str, Any]:
        """Return a pull request as in a list."""
        url = f"{self._urls.api}/repos/{pull.base_repository.full_name}"
        page = f"{self._urls.server}/{pull.base_repository.full_name}/pull/{pull.number}"
        own, issue = f"{url}/pulls/{pull.number}", f"{url}/issues/{pull.number}"
        links = {
            "self": own,
            "html": page,
            "issue": issue,
            "comments": f"{issue}/comments",
            "review_comments": f"{own}/comments",
            "review_comment": f"{url}/pulls/comments{{/number}}",
            "commits": f"{own}/commits",
            "statuses": f"{url}/statuses/{pull.head}",
        }
        addresses = {f"{name}_url": link for name, link in links.items() if name != "self"}
        return {
            "url": own,
            **addresses,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "_links": {name: {"href": link} for name, link in links.items()},
            "id": pull.id,
            "node_id": f"PR_{pull.id}",
            "number": pull.number,
            "state": pull.state,
            "locked": False,
            "draft": False,
            "title": pull.title,
            "body": pull.body or None,
            "user": self.person(pull.author),
            "labels": [],
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            **dict.fromkeys(("milestone", "assignee", "auto_merge", "active_lock_reason")),
            "created_at": pull.created_at,
            "updated_at": pull.closed_at or pull.created_at,
            "closed_at": pull.closed_at,
            "merged_at": pull.closed_at if pull.merged else None,
            "merge_commit_sha": pull.merge_commit or pull.test_merge,
            "head": self._end(pull.head_repository, pull.branch, pull.head),
            "base": self._end(pull.base_repository, pull.base, pull.base_sha),
            "author_association": self._association(pull.base_repository, pull.author),
        }

    def whole_pull(self, pull: PullRequest) -> dict[str, Any]:
        """Return a pull request as it is given alone."""
        counts = ("review_comments", "commits", "additions", "deletions", "changed_files")
        mergeable = pull.test_merge is not None if pull.state == "open" else None
        states = {True: "clean", False: "dirty", None: "unknown"}
        return {
            **self.pull(pull),
            "merged": pull.merged,
            "merged_by": self.person(pull.merged_by) if pull.merged_by else None,
            "mergeable": mergeable,
            "rebaseable": mergeable,
            "mergeable_state": states[mergeable],
            "comments": len(self._state.comments_of(pull.number)),
            **dict.fromkeys(counts, 0),
            "maintainer_can_modify": False,
        }

    def _end(self, repository: Repository, ref: str, sha: str) -> dict[str, Any]:
        return {
            "label": f"{repository.owner}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.person(self._state.person(repository.owner)),
            "repo": self.repository(repository),
        }

    @staticmethod
    def _association(repository: Repository, person: Person) -> str:
        if person.login == repository.owner:
            return "OWNER"
        return "COLLABORATOR" if person.login in repository.collaborators else "NONE"

    def _app(self, bot: Person) -> dict[str, Any]:
        slug = bot.login.removesuffix("[bot]")
        return {
            "id": 15368,
            "slug": slug,
            "node_id": "A_15368",
            "owner": self.person(self._state.person("github")),
            "name": "GitHub Actions",
            "description": "Automate your workflow from idea to production",
            "external_url": f"{self._urls.server}/features/actions",
            "html_url": f"{self._urls.server}/apps/{slug}",
            "created_at": "2018-07-30T09:30:17Z",
            "updated_at": "2019-12-10T19:04:12Z",
            "permissions": {"metadata": "read", "issues": "write"},
            "events": [],
        }

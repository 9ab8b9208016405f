"""A token: accounts that belong to who opened them, and a supply that only its issuer can raise.

Whoever may send to the queue may send to every machine, so every action that takes something away
is authorised here, by the principal that SQS authenticated. Amounts are whole numbers of the
smallest unit; the sum of all balances is always what was minted less what was burned.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from blockfold import Context, Machine, Reject, State, action
from blockfold.records import Descending, Record, Records

MAX_MINTED = 10**38 - 1
"""The most that a state's numbers can hold digit for digit (38 digits, as DynamoDB)."""

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Principal = Annotated[str, Meta(min_length=1, max_length=256)]
Amount = Annotated[int, Meta(ge=1)]
Allowed = Annotated[int, Meta(ge=0)]


class Token(Record, name="token", key="symbol"):
    """What is counted: who may mint it, and how much there was and is."""

    symbol: Name
    issuer: str
    minted: int = 0
    burned: int = 0

    @property
    def supply(self) -> int:
        """How much there is."""
        return self.minted - self.burned


class Account(
    Record,
    name="account",
    key=("symbol", "account"),
    indexes={"richest": Descending("balance", within="symbol")},
):
    """What somebody has of a token."""

    symbol: Name
    account: Name
    owner: str
    balance: int = 0


class Allowance(Record, name="allowance", key=("symbol", "account", "spender")):
    """How much of an account somebody else may still move."""

    symbol: Name
    account: Name
    spender: Principal
    amount: int


class Ledger(Machine):
    """Tokens and accounts."""

    @action
    def issue(self, state: State, context: Context, symbol: Name) -> None:
        """Begin a token; who does is its issuer."""
        tokens = Token.of(state)
        if tokens.get(symbol) is not None:
            raise Reject(f"there is a token {symbol} already")
        tokens.put(Token(symbol=symbol, issuer=_principal(context)))

    @action
    def open(self, state: State, context: Context, symbol: Name, account: Name) -> None:
        """Open an empty account; it belongs to who does."""
        _token(state, symbol)
        accounts = Account.of(state)
        if accounts.get(symbol, account) is not None:
            raise Reject(f"there is an account {account} already")
        accounts.put(Account(symbol=symbol, account=account, owner=_principal(context)))

    @action
    def mint(
        self, state: State, context: Context, symbol: Name, account: Name, amount: Amount
    ) -> None:
        """Make new tokens: the issuer may."""
        token = _token(state, symbol)
        if token.issuer != _principal(context):
            raise Reject(f"only the issuer of {symbol} mints it")
        if token.minted + amount > MAX_MINTED:
            raise Reject(f"no more than {MAX_MINTED} of {symbol} are ever minted")
        _add(Account.of(state), symbol, account, amount)
        Token.of(state).update(symbol, minted=token.minted + amount)
        context.emit("Minted", symbol=symbol, account=account, amount=amount)

    @action
    def transfer(
        self,
        state: State,
        context: Context,
        symbol: Name,
        source: Name,
        target: Name,
        amount: Amount,
    ) -> None:
        """Move tokens: the owner of the source may, and others as far as it allowed them."""
        _take(state, context, symbol, source, amount)
        _add(Account.of(state), symbol, target, amount)
        context.emit("Transferred", symbol=symbol, source=source, target=target, amount=amount)

    @action
    def allow(
        self,
        state: State,
        context: Context,
        symbol: Name,
        account: Name,
        spender: Principal,
        amount: Allowed,
    ) -> None:
        """Set how much somebody else may move out of an account; 0 takes that back."""
        _own(state, context, symbol, account)
        if amount > MAX_MINTED:
            raise Reject(f"there are never more than {MAX_MINTED} of {symbol}")
        allowances = Allowance.of(state)
        if amount:
            allowances.put(
                Allowance(symbol=symbol, account=account, spender=spender, amount=amount)
            )
        else:
            allowances.delete(symbol, account, spender)

    @action
    def burn(
        self, state: State, context: Context, symbol: Name, account: Name, amount: Amount
    ) -> None:
        """Destroy tokens: who may move them may."""
        _take(state, context, symbol, account, amount)
        token = _token(state, symbol)
        Token.of(state).update(symbol, burned=token.burned + amount)
        context.emit("Burned", symbol=symbol, account=account, amount=amount)

    @action
    def close(self, state: State, context: Context, symbol: Name, account: Name) -> None:
        """Close an empty account, and what it allowed others."""
        if _own(state, context, symbol, account).balance:
            raise Reject(f"{account} is not empty")
        allowances = Allowance.of(state)
        for each in list(allowances.each(symbol, account)):
            allowances.delete(symbol, account, each.spender)
        Account.of(state).delete(symbol, account)


def _principal(context: Context) -> str:
    """Who asks, without the session name: that is the caller's own choice.

    Raises:
        Reject: Nobody was authenticated: nobody owns anything.
    """
    principal = context.sender.partition(":")[0]
    if not principal:
        raise Reject("the action has no sender")
    return principal


def _token(state: State, symbol: str) -> Token:
    token = Token.of(state).get(symbol)
    if token is None:
        raise Reject(f"there is no token {symbol}")
    return token


def _account(accounts: Records[Account], symbol: str, account: str) -> Account:
    found = accounts.get(symbol, account)
    if found is None:
        raise Reject(f"there is no account {account} of {symbol}")
    return found


def _own(state: State, context: Context, symbol: str, account: str) -> Account:
    found = _account(Account.of(state), symbol, account)
    if found.owner != _principal(context):
        raise Reject(f"{account} belongs to somebody else")
    return found


def _add(accounts: Records[Account], symbol: str, account: str, amount: int) -> None:
    found = _account(accounts, symbol, account)
    accounts.update(symbol, account, balance=found.balance + amount)


def _take(state: State, context: Context, symbol: str, account: str, amount: int) -> None:
    """Take tokens out of an account, if the sender may and there are enough."""
    accounts = Account.of(state)
    found = _account(accounts, symbol, account)
    if found.owner != _principal(context):
        _spend(state, context, found, amount)
    if found.balance < amount:
        raise Reject(f"{account} has less than {amount}")
    accounts.update(symbol, account, balance=found.balance - amount)


def _spend(state: State, context: Context, account: Account, amount: int) -> None:
    """Use up what the sender was allowed."""
    allowances, spender = Allowance.of(state), _principal(context)
    key = (account.symbol, account.account, spender)
    allowed = allowances.get(*key)
    if allowed is None or allowed.amount < amount:
        raise Reject(f"{account.account} belongs to somebody else")
    if allowed.amount == amount:
        allowances.delete(*key)
    else:
        allowances.update(*key, amount=allowed.amount - amount)

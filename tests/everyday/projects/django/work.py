"""What an application does all day with its models; prints what it sees."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.db import IntegrityError, connection, transaction  # noqa: E402
from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Sum, Window  # noqa: E402
from django.db.models.functions import Lower, RowNumber, TruncMonth  # noqa: E402
from library.models import Book, Tag, Writer  # noqa: E402

print(ContentType.objects.get_for_model(Book).natural_key())
user = User.objects.create_user("reader", password=None)
user.groups.add(Group.objects.create(name="readers"))
print(User.objects.filter(groups__name="readers").values_list("username", flat=True)[0])
print(Book.objects.aggregate(Sum("pages"), Avg("price"), long=Count("pk", filter=Q(pages__gt=150))))
print(list(Writer.objects.annotate(n=Count("books")).values_list("name", "n").order_by("name")[:5]))
print([(b.title, b.writer.shelf_mark) for b in Book.objects.select_related("writer").order_by("pk")[:3]])
print([[t.word for t in b.tags.all()] for b in Book.objects.prefetch_related("tags").order_by("pk")[:5]])
ranked = Book.objects.annotate(n=Window(RowNumber(), partition_by=F("writer"), order_by=F("pages").desc()))
print(list(ranked.values_list("title", "n").order_by("title")[:4]))
print(Writer.objects.filter(Exists(Book.objects.filter(writer=OuterRef("pk"), pages__gt=295))).count())
with transaction.atomic():
    locked = Book.objects.select_for_update(of=("self",)).get(title__startswith="Book 7 ")
    locked.meta = {"seen": [1, 2, {"by": "reader"}]}
    locked.aliases = ["seven", "siete"]
    locked.save()
    try:
        with transaction.atomic():
            Writer.objects.create(name="Writer 1", country="NL")
    except IntegrityError as error:
        print(type(error).__name__)
print(Book.objects.filter(meta__seen__contains=[{"by": "reader"}], aliases__contains=["siete"]).count())
Writer.objects.bulk_create(
    [Writer(name=f"Writer {n}", country="NL", is_active=False) for n in range(3)],
    update_conflicts=True,
    unique_fields=["name", "country"],
    update_fields=["is_active"],
)
print(
    Writer.objects.filter(is_active=False).annotate(low=Lower("name")).values_list("low", flat=True).count()
)
print(Tag.objects.filter(book__isnull=True).delete())
print(Book.objects.annotate(month=TruncMonth("printed_on")).values("month").annotate(Count("pk")).count())
Book.objects.in_bulk([1, 2, 3])
print(sum(1 for _ in Book.objects.order_by("pk").iterator(chunk_size=30)))
with connection.cursor() as cursor:
    cursor.execute("select books, pages from library_report where country = %s", ["NL"])
    print(cursor.fetchall())
print(Book.objects.order_by("pk").explain()[:11])

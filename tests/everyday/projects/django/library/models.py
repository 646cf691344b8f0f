"""The models as the last migration leaves them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Upper


class Writer(models.Model):
    name = models.CharField(max_length=120, db_index=True)
    country = models.CharField(max_length=2, default="NL")
    is_active = models.BooleanField(default=True)
    shelf_mark = models.GeneratedField(
        expression=Concat(Upper("country"), Value("-"), "name"),
        output_field=models.CharField(max_length=130),
        db_persist=True,
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "country"], name="one_writer")]


class Tag(models.Model):
    word = models.SlugField(unique=True)


class Book(models.Model):
    title = models.TextField()
    pages = models.BigIntegerField(default=0)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="books")
    tags = models.ManyToManyField(Tag)
    meta = models.JSONField(default=dict)
    aliases = ArrayField(models.TextField(), default=list)
    printed_on = models.DateField(null=True)

    class Meta:
        indexes = [models.Index(fields=["title", "-pages"], name="by_title")]
        constraints = [models.CheckConstraint(condition=Q(price__gte=0), name="price_is_positive")]
        ordering = [F("title").asc()]

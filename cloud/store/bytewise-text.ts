/**
 * Makes every text column of a PostgreSQL table compare by its bytes, as SQLite's do.
 *
 * Ids rise with time, and pages of a list go from id to id: both only in that order. A database's own order is its
 * country's, where "a" comes before "B". As a plugin of the migrations it holds for those to come, too.
 */
import {
  OperationNodeTransformer,
  RawNode,
  DataTypeNode,
  type ColumnDefinitionNode,
  type KyselyPlugin,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryId,
  type QueryResult,
  type RootOperationNode,
  type UnknownRow,
} from "kysely";

class Collating extends OperationNodeTransformer {
  protected override transformColumnDefinition(
    node: ColumnDefinitionNode,
    queryId?: QueryId,
  ): ColumnDefinitionNode {
    const made = super.transformColumnDefinition(node, queryId);
    return DataTypeNode.is(made.dataType) && made.dataType.dataType === "text"
      ? { ...made, dataType: RawNode.createWithSql('text collate "C"') }
      : made;
  }
}

export class BytewiseText implements KyselyPlugin {
  readonly #collating = new Collating();
  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    return this.#collating.transformNode(node, queryId);
  }
  transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return Promise.resolve(result);
  }
}
